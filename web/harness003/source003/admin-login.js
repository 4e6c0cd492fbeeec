// Example using axios
const loginAdmin = async (username, password) => {
  try {
    const response = await axios.post(
      "http://localhost:8000/api/auth/login/admin",
      new URLSearchParams({
        username: username,
        password: password,
      }),
      {
        headers: {
          "Content-Type": "application/x-www-form-urlencoded",
        },
      }
    );

    const { access_token } = response.data;

    // Store token in localStorage or state management
    localStorage.setItem("token", access_token);
    localStorage.setItem("userType", "admin");

    return true;
  } catch (error) {
    console.error("Login failed:", error);
    return false;
  }
};
